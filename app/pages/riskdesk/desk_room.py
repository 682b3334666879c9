"""The room of the desk's pages: they stand in the navigation of operators and of auditors.

Officers have those that are of their own community: cases, rules and warnings, with their office.
"""

from app.pages.room import Room

pages = Room("riskdesk", __name__.rpartition(".")[0], kinds=("operator", "auditor", "office"))
# Who watches over the whole network.
WATCH = ("operator", "auditor")
