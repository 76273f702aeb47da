"""The catalogue: SKUs, warehouses, regions and channels. The rules know neither gRPC nor a database."""
