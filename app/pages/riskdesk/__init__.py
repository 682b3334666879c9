"""The risk desk for those who operate: the map, circles, what if, cases, stress tests."""
