"""The domain of community lending: members, trust, loans, guarantees. No web in here."""
