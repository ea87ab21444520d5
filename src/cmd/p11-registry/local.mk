# cmd/p11-registry
