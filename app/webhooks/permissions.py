"""Who may have other systems told of what happens."""

from app.permissions import declare, is_auditor, is_operator

declare(
    {
        "webhook:keep": (is_operator,),
        "webhook:read": (is_operator, is_auditor),
    }
)
