"""How much somebody may borrow and why, and approval, which reserves what a loan rests on."""
