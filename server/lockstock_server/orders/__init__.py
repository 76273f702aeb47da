"""Orders: the states of an order, the verbs that are right in each, its history. Plans nothing, counts nothing."""
