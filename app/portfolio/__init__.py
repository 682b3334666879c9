"""Classes of risk, portfolio at risk, vintages and roll rates over HTTP."""
