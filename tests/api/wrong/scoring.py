"""Early warning asked for what it cannot do."""

from tests.api.wrong.shape import VILLAGE, Wrong

_TRAIN = f"POST {VILLAGE}/warning-trainings"
_SWITCH = f"POST {VILLAGE}/warning-activations"
_WHY = {"reason": "so it was decided"}

SCORING = [
    Wrong("a model of too little history", "officer", _TRAIN, {}, "409 too-little-history"),
    *(
        Wrong(f"a training with {name}", "officer", _TRAIN, body, "422 validation")
        for name, body in (
            ("half a seed", {"seed": 0.5}),
            ("a seed below zero", {"seed": -1}),
            ("what it does not know", {"features": ["age"]}),
        )
    ),
    *(
        Wrong(f"a switch {name}", "officer", _SWITCH, body, problem)
        for name, body, problem in (
            ("without a reason", {"model": None}, "422 validation"),
            ("without a model", _WHY, "422 validation"),
            ("to a loan", _WHY | {"model": "@late"}, "422 validation"),
            (
                "to a model that is none",
                _WHY | {"model": "wmo_0000000000000000"},
                "404 warning-model-not-found",
            ),
        )
    ),
    Wrong("a switch by an auditor", "auditor", _SWITCH, _WHY | {"model": None}, "403 not-allowed"),
    Wrong(
        "a model of another village",
        "operator",
        "POST /communities/@far/warning-activations",
        _WHY | {"model": "@warning_model"},
        "404 warning-model-not-found",
    ),
    *(
        Wrong(f"GET {path}", "officer", f"GET {path}", None, problem)
        for path, problem in (
            (f"{VILLAGE}/warnings?band=blue", "422 validation"),
            (f"{VILLAGE}/warnings?cursor=x", "422 bad-cursor"),
            (f"{VILLAGE}/warning-models?limit=0", "422 validation"),
            ("/warning-models/wmo_0000000000000000", "404 warning-model-not-found"),
            ("/warning-trainings/wtr_0000000000000000", "404 training-not-found"),
            ("/loans/@submitted/warning", "404 not-scored-yet"),
        )
    ),
]
