"""Personal data: under which keys it lies, who looked at it, what is handed out, what is erased."""
