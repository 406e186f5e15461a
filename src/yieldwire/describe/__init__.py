"""The actions, described for machines: OpenAPI documents and TypeScript types."""
