"""Market data: the books and prices of the venues as outsiders see them."""
