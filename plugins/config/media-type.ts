/** A content type that Fastify can read, with or without parameters (RFC 9110, 8.3.1). */
export const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/
