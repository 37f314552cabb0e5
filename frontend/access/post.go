package access

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of a form, of what is before its file, also with the file's name in it, and of what is behind
// it: those of headers.
const (
	maxFormBytes  = 64 << 10
	maxFormFields = 512
)

var errFormTooLong = errors.New("access: form too long")

// A postForm is what a browser sends to a bucket to store an object: fields, and then a file, which
// is read from it as it comes.
type postForm struct {
	fields   map[string]string // by their names in lower case
	fileType string            // what the browser says of the file

	dialect     dialect
	parts       *multipart.Reader
	budget      *budget
	file        *multipart.Part
	size        int64  // of what has been read of the file
	least, most int64  // that the file may have
	err         error  // of Read, for good
	oneFile     *Error // for a form that has not exactly one
}

// posts says whether a request is posted to a bucket, with nothing in the query, and form whether it is
// one to post an object.
func (r *request) posts() (posts, form bool) {
	if r.Method != http.MethodPost || r.bucket == "" || r.key != "" || r.URL.RawQuery != "" {
		return false, false
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return true, media == "multipart/form-data"
}

// verifyForm finds out who has signed a form. What headers or URL say of that does not count.
func (v *Verifier) verifyForm(r *request) (*Identity, error) {
	d := v.service.dialect()
	f, err := readForm(r, d)
	if err != nil {
		return nil, err
	}
	c, err := f.claim()
	if err != nil {
		return nil, err
	}
	id := &Identity{Bucket: r.bucket, Key: f.fields["key"], Length: -1, Form: f.fields}
	switch {
	case c != nil:
		if _, err := v.checkSignature(c); err != nil {
			return nil, err
		}
		if err := f.obey(v.options.Now()); err != nil {
			return nil, err
		}
		id.AccessKey = c.accessKey
	case !v.options.Anonymous:
		return nil, anonymousDenied(id.Key)
	}
	if r.Header, err = f.header(); err != nil {
		return nil, err
	}
	id.Body = struct {
		io.Reader
		io.Closer
	}{f, r.Body}
	id.Trailer = func() http.Header { return nil }
	r.Body = id.Body
	return id, nil
}

// readForm reads a form up to its file.
func readForm(r *request, d dialect) (*postForm, error) {
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || parameters["boundary"] == "" {
		return nil, malformedForm()
	}
	f := &postForm{
		fields: map[string]string{}, most: math.MaxInt64, dialect: d,
		budget:  &budget{from: r.Body, left: maxFormBytes},
		oneFile: badRequest(d.form.notOneFile, "POST requires exactly one file upload per request."),
	}
	f.explain(f.oneFile, "ArgumentName", "file")
	f.parts = multipart.NewReader(f.budget, parameters["boundary"])
	for f.file == nil {
		if err := f.readField(); err != nil {
			return nil, err
		}
	}
	f.budget.left = math.MaxInt64
	f.fields["bucket"] = r.bucket
	// The policy judges the type that counts.
	if said := cmp.Or(f.fields[d.own+"content-type"], f.fileType); d.form.typeOfFile && said != "" {
		f.fields["content-type"] = said
	}
	if f.fields["key"] == "" {
		return nil, f.missing("key")
	}
	return f, nil
}

// explain adds a detail to an error, as the services that have some do.
func (f *postForm) explain(e *Error, name, value string) *Error {
	if f.dialect.details {
		e.with(name, value)
	}
	return e
}

// readField reads a field, or finds the file.
func (f *postForm) readField() error {
	part, err := f.parts.NextRawPart()
	switch {
	case err == io.EOF:
		return f.oneFile
	case err != nil:
		return f.failure(err)
	}
	// part.FileName leaves the backslashes of other systems in.
	_, disposition, _ := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	name := strings.ToLower(part.FormName())
	if name == "file" {
		f.file = part
		if said := part.Header.Get("Content-Type"); !strings.ContainsFunc(said, isControl) {
			f.fileType = said
		}
		path := disposition["filename"]
		return f.nameFile(path[strings.LastIndexAny(path, `/\`)+1:])
	}
	value, err := io.ReadAll(part)
	switch {
	case name == "":
		return malformedForm()
	case err != nil:
		return f.failure(err)
	}
	if _, ok := f.fields[name]; ok {
		return badRequest("InvalidArgument", "The field "+name+" is there twice.")
	}
	if len(f.fields) == maxFormFields {
		return badRequest(f.dialect.form.tooLong, "There are too many fields.")
	}
	f.fields[name] = string(value)
	return nil
}

// nameFile writes the name of the file where fields want it. Nobody has said yet who sends the form, and
// a long name that is wanted often would take far more than the form: what the fields have with it must
// be within the form's own limit.
func (f *postForm) nameFile(file string) error {
	const wanted = "${filename}"
	total := 0
	for name, value := range f.fields {
		total += len(value) + strings.Count(value, wanted)*(len(file)-len(wanted))
		if total > maxFormBytes {
			return f.failure(errFormTooLong)
		}
		f.fields[name] = strings.ReplaceAll(value, wanted, file)
	}
	return nil
}

// failure is the error for a form that could not be read.
func (f *postForm) failure(err error) error {
	if errors.Is(err, errFormTooLong) {
		return badRequest(f.dialect.form.tooLong,
			"Your POST request fields preceding the upload file were too large.")
	}
	return malformedForm()
}

// claim finds out who a form says has signed it. It is nil if nobody has.
func (f *postForm) claim() (*claim, error) {
	d := f.dialect
	if d.form.strict && f.isV4() {
		return f.claimS3()
	}
	signature := d.own + "signature"
	signed := slices.ContainsFunc([]string{
		"policy", "signature", signature, d.form.algorithm, d.own + "credential", d.form.accessKey,
	}, f.has)
	switch {
	case !signed:
		return nil, nil
	case !f.has("policy"):
		return nil, f.missing("policy")
	case !f.has(d.form.algorithm):
		c := &claim{accessKey: f.fields[d.form.accessKey], signature: f.fields["signature"]}
		for _, name := range []string{d.form.accessKey, "signature"} {
			if !f.has(name) {
				return nil, f.missing(name)
			}
		}
		c.stringToSign, c.signer = f.fields["policy"], signerV1
		return c, nil
	}
	cred, ok := d.credential(f.fields[d.own+"credential"])
	date, err := time.Parse(timeV4, f.fields[d.own+"date"])
	if !ok || err != nil || date.Format(dateV4) != cred.date || !f.has(signature) ||
		f.fields[d.form.algorithm] != d.algorithm {
		return nil, badRequest("InvalidArgument", d.form.algorithm+", "+d.own+"credential, "+d.own+
			"date and "+signature+" must all be there, and well-formed.")
	}
	return &claim{
		accessKey: cred.accessKey, signature: f.fields[signature], signer: cred.signer,
		stringToSign: f.fields["policy"],
	}, nil
}

func (f *postForm) has(name string) bool { return f.fields[name] != "" }

// obey finds out whether the form is what its policy allows, and limits the size of its file to
// that.
func (f *postForm) obey(now time.Time) error {
	d := f.dialect
	p, err := parsePolicy(f.fields["policy"], d)
	if err != nil {
		return err
	}
	if err := p.check(f.fields, now); err != nil {
		return err
	}
	f.least, f.most = p.least, p.most
	if !d.form.strict {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(f.fields)) {
		switch name {
		case "policy", "signature", d.own + "signature", d.form.accessKey:
			continue
		}
		if !strings.HasPrefix(name, "x-ignore-") && !p.names(name) {
			return accessDenied("Invalid according to Policy: Extra input fields: " + name)
		}
	}
	return nil
}

// header has those fields that say what the same headers say of PutObject. None may be said twice.
func (f *postForm) header() (http.Header, error) {
	d, h := f.dialect, http.Header{}
	for name, value := range f.fields {
		switch name {
		case "cache-control", "content-disposition", "content-encoding", "content-language",
			"content-md5", "content-type", "expires":
		case "acl", "callback":
			name = d.own + name
		default:
			if !strings.HasPrefix(name, d.own) {
				continue
			}
		}
		if strings.ContainsFunc(name, notInName) || strings.ContainsFunc(value, isControl) {
			return nil, badRequest("InvalidArgument", "The field "+name+" could not be a header.")
		}
		if _, twice := h[http.CanonicalHeaderKey(name)]; twice { // the policy may have judged the other one
			return nil, badRequest("InvalidArgument", "The field "+name+" is there under two names.")
		}
		h.Set(name, value)
	}
	return h, nil
}

// notInName says whether a header's name cannot have a character.
func notInName(c rune) bool {
	return c != '-' && c != '_' && c != '.' && !('a' <= c && c <= 'z') && !('0' <= c && c <= '9')
}

// isControl says whether a header's value cannot have a character.
func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// Read reads the file. At its end it fails unless the form ends well, and the file has the size that
// it may have.
func (f *postForm) Read(p []byte) (n int, err error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err = f.file.Read(p)
	f.size += int64(n)
	switch {
	case f.size > f.most:
		err = f.wrongSize("MaxSizeAllowed", f.most,
			badRequest("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"))
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = malformedForm()
	case err != io.EOF:
	case f.size < f.least:
		err = f.wrongSize("MinSizeAllowed", f.least, badRequest("EntityTooSmall",
			"Your proposed upload is smaller than the minimum allowed size"))
	default:
		err = f.end()
	}
	f.err = err
	return n, err
}

// wrongSize says, beside an error, how much of the file has come, and how much may come.
func (f *postForm) wrongSize(limit string, bytes int64, e *Error) *Error {
	f.explain(e, "ProposedSize", strconv.FormatInt(f.size, 10))
	return f.explain(e, limit, strconv.FormatInt(bytes, 10))
}

// end reads what is behind the file, which browsers have nothing in but the button.
func (f *postForm) end() error {
	f.budget.left = maxFormBytes
	for range maxFormFields {
		switch part, err := f.parts.NextRawPart(); {
		case err == io.EOF:
			return io.EOF
		case err != nil:
			return malformedForm()
		case strings.EqualFold(part.FormName(), "file"):
			return f.oneFile
		}
	}
	return malformedForm()
}

// A budget is a reader of some bytes, and fails behind them.
type budget struct {
	from io.Reader
	left int64
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errFormTooLong
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func malformedForm() *Error {
	return badRequest("MalformedPOSTRequest",
		"The body of your POST request is not well-formed multipart/form-data.")
}

func (f *postForm) missing(name string) *Error {
	return f.explain(badRequest("InvalidArgument", "Bucket POST must contain a field named '"+name+
		"'.  If it is specified, please check the order of the fields."), "ArgumentName", name)
}
