"""What all HTTP operations share: parsing requests, writing responses, and the conventions of docs/api.md."""
