"""How sound the loans are: classes of risk, what is set aside, portfolio figures."""
