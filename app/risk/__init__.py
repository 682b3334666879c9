"""The risk desk over HTTP: circles, stress tests, concentration, alarms."""
