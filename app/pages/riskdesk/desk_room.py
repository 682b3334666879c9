"""The room of the desk's pages: they stand in the navigation of operators and of auditors."""

from app.pages.room import Room

pages = Room("riskdesk", __name__.rpartition(".")[0], kinds=("operator", "auditor"))
