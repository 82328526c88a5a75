"""Photos in object stores: a plan in shards that any number of machines work on."""
