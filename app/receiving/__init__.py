"""Collection sheets, bank statements, suspense and receipts over the web."""
