"""The same work on a Ray cluster: who does what, what runs on the nodes, and the border to Ray."""
