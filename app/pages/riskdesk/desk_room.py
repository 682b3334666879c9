"""The room of the desk's pages; its listed pages stand in the operators' navigation."""

from app.pages.room import Room

pages = Room("riskdesk", __name__.rpartition(".")[0], kind="operator")
