package access

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// A policy is what the signature of a form says: which forms may come in.
type policy struct {
	expiration  time.Time
	conditions  []condition
	least, most int64 // bytes of the file
}

// A condition is about one field of a form.
type condition struct {
	operator string // eq, starts-with, in, not-in
	field    string // in lower case
	values   []string
}

// parsePolicy reads a policy as a form has it, in base64.
func parsePolicy(encoded string) (*policy, error) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, invalidPolicy("it is not base64.")
	}
	// The names are case-sensitive, which those of a struct would not be.
	var document map[string]json.RawMessage
	if json.Unmarshal(plainDollars(text), &document) != nil {
		return nil, invalidPolicy("Invalid JSON.")
	}
	var expiration string
	var conditions []json.RawMessage
	p := &policy{most: math.MaxInt64}
	if json.Unmarshal(document["expiration"], &expiration) != nil {
		return nil, invalidPolicy("Policy missing expiration.")
	}
	if p.expiration, err = time.Parse(time.RFC3339, expiration); err != nil {
		return nil, invalidPolicy("Invalid 'expiration' value: '" + expiration + "'")
	}
	if json.Unmarshal(document["conditions"], &conditions) != nil || conditions == nil {
		return nil, invalidPolicy("Policy missing conditions.")
	}
	for _, text := range conditions {
		if err := p.add(text); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// plainDollars takes the backslash from \$, which policies may have, and JSON does not.
func plainDollars(text []byte) []byte {
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			if i++; text[i] != '$' {
				plain = append(plain, '\\')
			}
		}
		plain = append(plain, text[i])
	}
	return plain
}

// add adds the condition of a text.
func (p *policy) add(text json.RawMessage) error {
	c := condition{operator: "eq"}
	var simple map[string]string
	if json.Unmarshal(text, &simple) == nil {
		if len(simple) != 1 {
			return invalidPolicy(
				"Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
		}
		for field, value := range simple {
			c.field, c.values = strings.ToLower(field), []string{value}
		}
		p.conditions = append(p.conditions, c)
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil || len(list) != 3 ||
		json.Unmarshal(list[0], &c.operator) != nil {
		return invalidPolicy("Invalid Condition: " + string(text))
	}
	if c.operator = strings.ToLower(c.operator); c.operator == "content-length-range" {
		return p.limit(list[1], list[2], string(text))
	}
	var value string
	wrong := json.Unmarshal(list[1], &c.field) != nil || !strings.HasPrefix(c.field, "$")
	switch c.operator {
	case "eq", "starts-with":
		wrong = json.Unmarshal(list[2], &value) != nil || wrong
		c.values = []string{value}
	case "in", "not-in":
		wrong = json.Unmarshal(list[2], &c.values) != nil || wrong
	default:
		wrong = true
	}
	if wrong {
		return invalidPolicy("Invalid Condition: " + string(text))
	}
	c.field = strings.ToLower(strings.TrimPrefix(c.field, "$"))
	p.conditions = append(p.conditions, c)
	return nil
}

// limit adds a condition on the size of the file.
func (p *policy) limit(least, most json.RawMessage, text string) error {
	number := func(text json.RawMessage) int64 {
		var n json.Number // also in quotes
		if json.Unmarshal(text, &n) != nil {
			return -1
		}
		i, err := n.Int64()
		if err != nil {
			return -1
		}
		return i
	}
	from, to := number(least), number(most)
	if from < 0 || to < from {
		return invalidPolicy("Invalid content-length-range: " + text)
	}
	p.least, p.most = max(p.least, from), min(p.most, to)
	return nil
}

// check finds out whether fields are such as the policy wants them, the size of the file aside.
func (p *policy) check(fields map[string]string, now time.Time) error {
	if now.After(p.expiration) {
		return accessDenied("Invalid according to Policy: Policy expired.")
	}
	for _, c := range p.conditions {
		value, ok := fields[c.field]
		if !ok || !c.holds(value) {
			return accessDenied("Invalid according to Policy: Policy Condition failed: [" + c.operator +
				", $" + c.field + ", " + strings.Join(c.values, ", ") + "]")
		}
	}
	return nil
}

// holds says whether a value is such as the condition wants it.
func (c *condition) holds(value string) bool {
	switch c.operator {
	case "in":
		return slices.Contains(c.values, value)
	case "not-in":
		return !slices.Contains(c.values, value)
	case "eq":
		return value == c.values[0]
	}
	if c.field != "content-type" {
		return strings.HasPrefix(value, c.values[0])
	}
	// Several types in a list must each be such.
	for each := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(strings.TrimSpace(each), c.values[0]) {
			return false
		}
	}
	return true
}

// names says whether there is a condition on a field.
func (p *policy) names(field string) bool {
	return slices.ContainsFunc(p.conditions, func(c condition) bool { return c.field == field })
}

func invalidPolicy(message string) *Error {
	return badRequest("InvalidPolicyDocument", "Invalid Policy: "+message)
}
