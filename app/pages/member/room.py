"""The room of a member's own pages; its views stand in the modules beside this one."""

from app.pages.room import Room

pages = Room("member", "app.pages.member")
