package smart

// Scopes is a set of clinical scopes. It is never changed once it is made.
type Scopes struct{}
