"""The room of the platform: pages that are of no one community."""

from app.pages.room import Room

pages = Room("platform", "app.pages.platform", kinds=("operator",))
