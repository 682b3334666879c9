"""Who comes into the office: whoever holds an office there, or audits it."""

from app.permissions import Facts, declare, holds_office, is_auditor
from community.members.principal import Principal


def holds_any_role(principal: Principal, facts: Facts) -> bool:
    """The caller is an officer, an operator or an auditor somewhere."""
    return bool(principal.grants)


declare(
    {
        # The list holds the communities that each caller looks after.
        "office:list": (holds_any_role,),
        "office:read": (holds_office, is_auditor),
    }
)
