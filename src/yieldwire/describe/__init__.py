"""The actions, described for machines: OpenAPI documents, TypeScript and Python types."""
