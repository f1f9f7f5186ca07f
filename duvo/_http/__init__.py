"""One API call: requests, responses, retries, the rate limit, and the transports that send."""
