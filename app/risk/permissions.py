"""Who sees the risk desk: who operates the platform, and who audits it. To members it is not there.

Nothing here tells a member who owes: the desk names debtors, so no member, leader or officer of a
group reads it.
"""

from app.permissions import declare, is_auditor, is_operator

declare(
    {
        "risk:read": (is_operator, is_auditor),
        "risk:run": (is_operator,),
    }
)
