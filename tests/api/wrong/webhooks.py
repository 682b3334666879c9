"""Wrong requests about webhooks."""

from tests.api.wrong.shape import Wrong

_ADD = "POST /webhooks"
_RIGHT = {"url": "https://bank.example/hooks", "kinds": ["loan.*"]}

_URLS = {
    "without TLS": "http://bank.example/hooks",
    "on the machine itself": "https://127.0.0.1/hooks",
    "on the machine itself, by its name": "https://localhost/hooks",
    "on the machine itself, in IPv6": "https://[::1]/hooks",
    "on the machine itself, written as IPv6": "https://[::ffff:127.0.0.1]/hooks",
    "in a private network": "https://10.0.0.8/hooks",
    "where clouds keep keys": "https://169.254.169.254/latest/meta-data",
    "behind a translator": "https://[64:ff9b::a00:1]/hooks",
    "with a password": "https://us:secret@1.example/hooks",
    "of a file": "file:///etc/passwd",
    "with a line's end inside": "https://bank.example/hooks%0d%0a x",
    "without a host": "https:///hooks",
    "with a port that is none": "https://bank.example:99999/hooks",
    "that is none": "https://[::1/hooks",
}

WEBHOOKS = [
    *(
        Wrong(
            f"a receiver {name}",
            "operator",
            _ADD,
            _RIGHT | {"url": url},
            "422 webhook-url-refused",
        )
        for name, url in _URLS.items()
    ),
    *(
        Wrong(f"a webhook of {name}", "operator", _ADD, _RIGHT | changed, problem)
        for name, changed, problem in (
            ("a kind that is none", {"kinds": ["loan.imagined"]}, "422 webhook-kind-unknown"),
            ("a family that is none", {"kinds": ["token.*"]}, "422 webhook-kind-unknown"),
            ("who read what", {"kinds": ["case.reports_read"]}, "422 webhook-kind-unknown"),
            ("nothing", {"kinds": []}, "422 validation"),
            ("no community", {"community": "com_0000000000000000"}, "404 community-not-found"),
            ("a number", {"url": 7}, "422 validation"),
        )
    ),
    Wrong(
        "a webhook in a state that is none",
        "operator",
        "POST /webhooks/@webhook/state",
        {"state": "asleep"},
        "422 validation",
    ),
    Wrong(
        "deliveries in a state that is none",
        "operator",
        "GET /webhooks/@webhook/deliveries?state=lost",
        None,
        "422 validation",
    ),
    Wrong(
        "a webhook that is none",
        "operator",
        "GET /webhooks/whk_0000000000000000",
        None,
        "404 webhook-not-found",
    ),
    Wrong(
        "a delivery that is none",
        "operator",
        "POST /webhook-deliveries/whd_0000000000000000/redelivery",
        None,
        "404 webhook-not-found",
    ),
    Wrong(
        "an auditor sends a delivery anew",
        "auditor",
        "POST /webhook-deliveries/@delivery/redelivery",
        None,
        "403 not-allowed",
    ),
]
