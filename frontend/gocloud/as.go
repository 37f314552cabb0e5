package gocloud

// as gives value to who asks for one of its type, with a pointer to a variable.
func as[T any](value T) func(target any) bool {
	return func(target any) bool {
		variable, ok := target.(*T)
		if ok {
			*variable = value
		}
		return ok
	}
}

// before shows a request to the user's hook, if there is one, which may change it.
func before[Request any](hook func(as func(any) bool) error, req *Request) error {
	if hook == nil {
		return nil
	}
	return hook(as(req))
}
