"""Groups that bind, over the web: amended, led, left, expelled from."""
