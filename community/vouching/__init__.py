"""Records of members as vouchers: how those whom they stood behind paid."""
