"""The book of claims on the web: who may claim what back from whom."""
