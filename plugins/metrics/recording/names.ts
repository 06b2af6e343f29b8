/** Label of requests that no route took. */
export const NO_ROUTE = 'none'
/** Label of requests that an endpoint of the gateway's own answered. */
export const LOCAL = 'local'
