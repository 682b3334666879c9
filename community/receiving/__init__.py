"""Money coming in: collection sheets, bank statements, what is in suspense, receipts."""
