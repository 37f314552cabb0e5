package access

import (
	"encoding/base64"
	"encoding/json"
	"maps"
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
	dialect     dialect
}

// A condition is about one field of a form.
type condition struct {
	operator string // eq, starts-with; of OSS in, not-in
	field    string // in lower case
	values   []string
	text     string // as a service says it
	never    bool   // it holds for no form
}

// A policyFault is what is wrong with a policy, as each service says it. Some have %s.
type policyFault struct{ s3, oss string }

var (
	policyEmpty      = policyFault{"Expecting '{' but found End-of-Input", "Invalid JSON."}
	policyBase64     = policyFault{"invalid Base64 encoding.", "it is not base64."}
	policyJSON       = alike("Invalid JSON.")
	policyMore       = policyFault{s3: `Unexpected: "%s"`} // which OSS passes over
	policyExpiration = alike("Policy missing expiration.")
	policyTime       = alike("Invalid 'expiration' value: '%s'")
	policyConditions = alike("Policy missing conditions.")
	policyNoList     = policyFault{
		"Invalid 'conditions' value: must be a List.", "Policy missing conditions.",
	}
	conditionSimple = alike("Invalid Simple-Condition: Simple-Conditions must have exactly one " +
		"property specified.")

	// Of OSS these say the condition.
	conditionValue    = inCondition("Invalid Simple-Condition: value must be a string.")
	conditionKind     = inCondition("Invalid condition test: must be a List or Object.")
	conditionEmpty    = inCondition("Invalid Condition: missing operation identifier.")
	conditionOperator = inCondition("Invalid Condition: unknown operation '%s'.")
	conditionLength   = inCondition("Invalid %s: wrong number of arguments.")
	conditionJSON     = inCondition("Invalid JSON.")
	conditionRange    = policyFault{"Invalid JSON.", "Invalid content-length-range: %s"}
)

func alike(text string) policyFault { return policyFault{text, text} }

func inCondition(s3 string) policyFault { return policyFault{s3, "Invalid Condition: %s"} }

// invalidPolicy is the error for a fault. said is what S3's text says of it, and text what OSS's does.
func (d dialect) invalidPolicy(fault policyFault, said, text string) *Error {
	message := fault.s3
	if !d.form.strict {
		message, said = fault.oss, text
	}
	if strings.Contains(message, "%s") {
		message = say(message, said)
	}
	return badRequest("InvalidPolicyDocument", "Invalid Policy: "+message)
}

// parsePolicy reads a policy as a form has it, in base64.
func parsePolicy(encoded string, d dialect) (*policy, error) {
	fail := func(fault policyFault, said string) (*policy, error) {
		return nil, d.invalidPolicy(fault, said, said)
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case err != nil:
		return fail(policyBase64, "")
	case len(text) == 0:
		return fail(policyEmpty, "")
	}
	// The names are case-sensitive, which those of a struct would not be.
	var document map[string]json.RawMessage
	if json.Unmarshal(plainDollars(text), &document) != nil {
		return fail(policyJSON, "")
	}
	var expiration string
	var conditions []json.RawMessage
	p := &policy{most: math.MaxInt64, dialect: d}
	switch err := json.Unmarshal(document["expiration"], &expiration); {
	case document["expiration"] != nil && err != nil && d.form.strict:
		return fail(policyJSON, "")
	case err != nil:
		return fail(policyExpiration, "")
	}
	if p.expiration, err = time.Parse(time.RFC3339, expiration); err != nil {
		return fail(policyTime, expiration)
	}
	switch err := json.Unmarshal(document["conditions"], &conditions); {
	case document["conditions"] == nil:
		return fail(policyConditions, "")
	case err != nil || conditions == nil:
		return fail(policyNoList, "")
	}
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if d.form.strict && name != "expiration" && name != "conditions" {
			return fail(policyMore, name)
		}
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
	fail := func(fault policyFault, said string) error {
		return p.dialect.invalidPolicy(fault, said, string(text))
	}
	var simple map[string]json.RawMessage
	if json.Unmarshal(text, &simple) == nil {
		if len(simple) != 1 {
			return fail(conditionSimple, "")
		}
		for field, value := range simple {
			var s string
			if json.Unmarshal(value, &s) != nil {
				return fail(conditionValue, "")
			}
			c := condition{operator: "eq", field: strings.ToLower(field), values: []string{s}}
			c.text = p.dialect.conditionText(c, c.operator, "$"+field)
			p.conditions = append(p.conditions, c)
		}
		return nil
	}
	var list []json.RawMessage
	c := condition{}
	switch {
	case json.Unmarshal(text, &list) != nil:
		return fail(conditionKind, "")
	case len(list) == 0:
		return fail(conditionEmpty, "")
	case json.Unmarshal(list[0], &c.operator) != nil:
		return fail(conditionJSON, "")
	}
	said := c.operator
	c.operator = strings.ToLower(said)
	switch c.operator {
	case "eq", "starts-with", "content-length-range":
	case "in", "not-in": // which only OSS has
		if p.dialect.form.strict {
			return fail(conditionOperator, said)
		}
	default:
		return fail(conditionOperator, said)
	}
	if len(list) != 3 {
		return fail(conditionLength, said)
	}
	if c.operator == "content-length-range" {
		return p.limit(list[1], list[2], string(text))
	}
	var value string
	wrong := json.Unmarshal(list[1], &c.field) != nil
	if strings.HasSuffix(c.operator, "in") {
		wrong = json.Unmarshal(list[2], &c.values) != nil || wrong
	} else {
		wrong = json.Unmarshal(list[2], &value) != nil || wrong
		c.values = []string{value}
	}
	// With S3 a condition on what is no field is one, that does not hold.
	c.never = !strings.HasPrefix(c.field, "$")
	if wrong || c.never && !p.dialect.form.strict {
		return fail(conditionJSON, "")
	}
	field := c.field
	c.field = strings.ToLower(strings.TrimPrefix(field, "$"))
	c.text = p.dialect.conditionText(c, said, field)
	p.conditions = append(p.conditions, c)
	return nil
}

// conditionText is how a service says a condition: S3 with the names as they came, in quotes, wherever the
// policy has spaces.
func (d dialect) conditionText(c condition, operator, field string) string {
	if d.form.strict {
		return `["` + strings.Join([]string{operator, field, c.values[0]}, `", "`) + `"]`
	}
	return "[" + c.operator + ", $" + c.field + ", " + strings.Join(c.values, ", ") + "]"
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
		return p.dialect.invalidPolicy(conditionRange, "", text)
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
		if !ok || c.never || !c.holds(value) {
			return accessDenied(say("Invalid according to Policy: Policy Condition failed: %s", c.text))
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
