"""Who comes into the auditor's room: whoever audits the community, and who operates the platform.

Every page of it is a reading. What auditors may read elsewhere stands with each feature.
"""

from app.pages.office.permissions import holds_any_role
from app.permissions import declare, is_auditor, is_operator

declare(
    {
        "audit:list": (holds_any_role,),
        "audit:read": (is_operator, is_auditor),
    }
)
