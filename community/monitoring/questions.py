"""What a visit asks, by what the money was for. Pure: keys are stored, words are for people."""

from dataclasses import dataclass

from community.communities.charter import Purpose
from community.errors import Invalid


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is answered by yes or no."""

    key: str
    en: str
    zh: str


_AT_HOME = Question("met", "Did you meet the member?", "见到成员本人了吗？")
_TROUBLE = Question("trouble", "Did you hear or see of any trouble?", "有没有听到或看到什么困难？")

QUESTIONS: dict[Purpose, tuple[Question, ...]] = {
    Purpose.CROP: (
        _AT_HOME,
        Question("planted", "Is the crop planted?", "庄稼种下了吗？"),
        Question("healthy", "Does it stand well?", "长势好吗？"),
        _TROUBLE,
    ),
    Purpose.ANIMALS: (
        _AT_HOME,
        Question("animals_seen", "Did you see the animals?", "看到牲畜了吗？"),
        Question("healthy", "Are they healthy?", "牲畜健康吗？"),
        _TROUBLE,
    ),
    Purpose.STOCK: (
        _AT_HOME,
        Question("stock_bought", "Is the stock there that was to be bought?", "要进的货进了吗？"),
        Question("open", "Is the business open?", "店开着吗？"),
        _TROUBLE,
    ),
    Purpose.EQUIPMENT: (
        _AT_HOME,
        Question("equipment_seen", "Did you see what was bought?", "看到买的设备了吗？"),
        Question("in_use", "Is it in use?", "设备在用吗？"),
        _TROUBLE,
    ),
    Purpose.HOUSING: (
        _AT_HOME,
        Question("building", "Is the building going on or done?", "房子在建或已建好了吗？"),
        _TROUBLE,
    ),
    Purpose.OTHER: (
        _AT_HOME,
        Question("as_said", "Was the money used as was said?", "钱是按说好的用的吗？"),
        _TROUBLE,
    ),
}


def check_answers(purpose: Purpose, answers: dict[str, bool]) -> dict[str, bool]:
    """All questions of a purpose are answered, and no other. Raises Invalid."""
    asked = {question.key for question in QUESTIONS[purpose]}
    if answers.keys() != asked or any(type(answer) is not bool for answer in answers.values()):
        raise Invalid(
            "Answer each question by yes or no.", field="answers", questions=sorted(asked)
        )
    return answers
