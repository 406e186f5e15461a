"""What can be called, for machines: OpenAPI documents and TypeScript types."""
