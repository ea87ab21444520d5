# cmd/p11-gateway
