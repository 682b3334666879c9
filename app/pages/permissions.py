"""What everybody may do who is signed in: see a form, a list of their own that is empty."""

from app.permissions import declare, is_anybody

declare({"page:read": (is_anybody,)})
