package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/disk"
)

// An Error is what every operation returns when it fails. Code, HTTPStatus and EC are the service's
// own, so that a front end can answer with them as they are. errors.Is(err, ErrNoSuchUpload)
// compares the Code; errors.As and errors.Is also reach the cause in Err, which is the body's own
// error where a body has failed.
type Error struct {
	Op         string // the operation, as "UploadPart"
	Code       string // OSS's error code, as "NoSuchUpload", or S3's where OSS has none
	HTTPStatus int
	EC         string // OSS's fine-grained error code where it is known, as "0042-00000104"
	Message    string // for people: names the field and the limit
	Bucket     string
	Key        string
	UploadID   string
	PartNumber int

	// What the services' answers say beside that, each where there is something to say.
	//
	// Argument is the field of the request that is at fault, as "MaxKeys", and Value what it holds,
	// its first KiB at most. Of a key of the client's no value is said.
	Argument, Value string

	// Condition is the one that does not hold, of ErrPreconditionFailed and ErrNotModified, by the
	// name of its HTTP header, as "If-Match".
	Condition string

	// ETag and LastModified are the object's, of ErrNotModified. Of ErrInvalidPart ETag is the one
	// that the list has, of ErrEntityTooSmall that of the part.
	ETag         string
	LastModified time.Time

	// Size is that of the object in bytes, of ErrInvalidRange, and of ErrInvalidRequest where
	// CompleteMultipartUpload was told another one; of ErrEntityTooSmall, ErrEntityTooLarge,
	// ErrKeyTooLong, ErrMetadataTooLarge and ErrIncompleteBody that of what is too small or large, if
	// it is known, and Limit the least or most that is allowed, or the size that was declared.
	Size, Limit int64

	Err error // the cause, or nil
}

// Error says what failed, where, and why.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("engine: ")
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	if e.Bucket != "" || e.Key != "" {
		b.WriteString(plain(e.Bucket))
		if e.Key != "" {
			b.WriteString("/" + plain(e.Key))
		}
		b.WriteString(": ")
	}
	if e.UploadID != "" {
		fmt.Fprintf(&b, "upload %s: ", plain(e.UploadID))
	}
	if e.PartNumber != 0 {
		fmt.Fprintf(&b, "part %d: ", e.PartNumber)
	}
	b.WriteString(e.Code)
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// maxPlain is how much of a name an error's text shows: all of one that is allowed.
const maxPlain = 1024

// plain returns a name as it is, unless a client has put into it what would garble a line of text.
func plain(name string) string {
	cut := ""
	if len(name) > maxPlain {
		name, cut = name[:maxPlain], "..."
	}
	if quoted := strconv.Quote(name); quoted[1:len(quoted)-1] != name {
		name = quoted
	}
	return name + cut
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error with the same Code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Errors that say what is missing or in the way.
var (
	// ErrNoSuchBucket is returned when the bucket does not exist, or is another one than at the
	// beginning of the call.
	ErrNoSuchBucket = &Error{
		Code: "NoSuchBucket", HTTPStatus: 404, EC: "0015-00000101",
		Message: "The specified bucket does not exist.",
	}
	// ErrNoSuchKey is returned when there is no object of that name.
	ErrNoSuchKey = &Error{
		Code: "NoSuchKey", HTTPStatus: 404, EC: "0026-00000001",
		Message: "The specified key does not exist.",
	}
	// ErrNoSuchUpload is returned when the upload id is malformed, unknown, of another object, or
	// when the upload has been completed or aborted.
	ErrNoSuchUpload = &Error{
		Code: "NoSuchUpload", HTTPStatus: 404,
		Message: "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
	}
	// ErrBucketAlreadyExists is returned by CreateBucket for a name that is taken.
	ErrBucketAlreadyExists = &Error{
		Code: "BucketAlreadyExists", HTTPStatus: 409, EC: "0015-00000104",
		Message: "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
	}
	// ErrBucketNotEmpty is returned by DeleteBucket while the bucket has objects and, under OSS's
	// rules, open uploads.
	ErrBucketNotEmpty = &Error{
		Code: "BucketNotEmpty", HTTPStatus: 409, EC: "0015-00000301",
		Message: "The bucket has objects. Please delete them first.",
	}
	// ErrFileAlreadyExists is returned when an object exists and ForbidOverwrite is set.
	ErrFileAlreadyExists = &Error{
		Code: "FileAlreadyExists", HTTPStatus: 409,
		Message: "The object you specified already exists and can not be overwritten.",
	}
	// ErrPreconditionFailed is returned when IfMatch or IfUnmodifiedSince does not hold; of a write
	// also IfNoneMatch, and under S3's rules every condition of a copy. Error.Condition says which.
	// It is empty where CopyObject copies the bytes of an object onto itself, which has changed
	// meanwhile.
	ErrPreconditionFailed = &Error{
		Code: "PreconditionFailed", HTTPStatus: 412,
		Message: "At least one of the pre-conditions you specified did not hold.",
	}
	// ErrNotModified is returned when IfNoneMatch or IfModifiedSince says that the caller has the
	// object already. A front end answers 304 without a body, but with the ETag and LastModified of
	// the Error.
	ErrNotModified = &Error{
		Code: "NotModified", HTTPStatus: 304, Message: "The object has not been modified.",
	}
)

// Errors of arguments and bodies.
var (
	// ErrInvalidArgument is returned for an argument out of its range. Error.Argument is the one.
	ErrInvalidArgument = &Error{Code: "InvalidArgument", HTTPStatus: 400}
	// ErrInvalidBucketName is returned for a name that breaks OSS's rules: 3 to 63 of a-z, 0-9 and
	// -, beginning and ending with a letter or digit.
	ErrInvalidBucketName = &Error{
		Code: "InvalidBucketName", HTTPStatus: 400, Message: "The specified bucket is not valid.",
	}
	// ErrInvalidObjectName is returned for a key that is not 1 to 1023 bytes of UTF-8 or begins
	// with / or \; under S3's rules for one that is empty or not UTF-8.
	ErrInvalidObjectName = &Error{Code: "InvalidObjectName", HTTPStatus: 400}
	// ErrKeyTooLong is returned, under S3's rules, for a key of more than 1024 bytes.
	ErrKeyTooLong = &Error{Code: "KeyTooLongError", HTTPStatus: 400}
	// ErrMetadataTooLarge is returned, under S3's rules, for more user metadata than they allow.
	ErrMetadataTooLarge = &Error{Code: "MetadataTooLarge", HTTPStatus: 400}
	// ErrInvalidStorageClass is returned, under S3's rules, for a storage class that they do not
	// have.
	ErrInvalidStorageClass = &Error{Code: "InvalidStorageClass", HTTPStatus: 400}
	// ErrInvalidRedirectLocation is returned for a WebsiteRedirect that cannot be one. It is S3's.
	ErrInvalidRedirectLocation = &Error{
		Code: "InvalidRedirectLocation", HTTPStatus: 400,
		Message: "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
	}
	// ErrInvalidTag is returned for a tag that is too long, has no key, or has a character that the
	// bucket's rules do not allow.
	ErrInvalidTag = &Error{Code: "InvalidTag", HTTPStatus: 400, EC: "0010-00000216"}
	// ErrBadRequest is returned for more tags than an object may have.
	ErrBadRequest = &Error{Code: "BadRequest", HTTPStatus: 400}
	// ErrInvalidRange is returned by GetObject and HeadObject for a standard range that begins beyond
	// the object, and for the last 0 bytes, "bytes=-0", in any case.
	ErrInvalidRange = &Error{
		Code: "InvalidRange", HTTPStatus: 416, Message: "The requested range cannot be satisfied.",
	}
	// ErrInvalidPartNumber is returned by GetObject and HeadObject for a part that the object does
	// not have. It is S3's.
	ErrInvalidPartNumber = &Error{
		Code: "InvalidPartNumber", HTTPStatus: 416,
		Message: "The requested partnumber is not satisfiable",
	}
	// ErrInvalidDigest is returned when ContentMD5 is malformed and, under OSS's rules, when it is
	// not that of the body.
	ErrInvalidDigest = &Error{
		Code: "InvalidDigest", HTTPStatus: 400,
		Message: "The Content-MD5 you specified was invalid.",
	}
	// ErrBadDigest is returned when a Checksum is not that of the body or object and, under S3's
	// rules, when ContentMD5 or CRC64 is not that of the body.
	ErrBadDigest = &Error{
		Code: "BadDigest", HTTPStatus: 400,
		Message: "A digest that you specified did not match what we calculated.",
	}
	// ErrInvalidRequest is returned for arguments that do not go together, or not with the upload
	// or object: of checksums, customer keys, ranges and part numbers, and of copies. It is S3's.
	ErrInvalidRequest = &Error{Code: "InvalidRequest", HTTPStatus: 400}
	// ErrInvalidCRC64 is returned, under OSS's rules, when CRC64 is not that of the body.
	ErrInvalidCRC64 = &Error{
		Code: "InvalidCRC64", HTTPStatus: 400,
		Message: "The x-oss-hash-crc64ecma you specified does not match what we calculated.",
	}
	// ErrIncompleteBody is returned when the body ends early or fails.
	ErrIncompleteBody = &Error{Code: "IncompleteBody", HTTPStatus: 400}
	// ErrEntityTooLarge is returned for a part over 5 GiB and an object over what 10000 such parts
	// make.
	ErrEntityTooLarge = &Error{Code: "EntityTooLarge", HTTPStatus: 400}
	// ErrRequestTimeout is returned when the call's context ends first. The context's error is its
	// cause. A key provider that runs into a timeout of its own is ErrInternal.
	ErrRequestTimeout = &Error{
		Code: "RequestTimeout", HTTPStatus: 400, Message: "The request ended before it was done.",
	}
	// ErrInvalidEncryptionAlgorithm is returned for a ServerSideEncryption other than AES256, KMS
	// and aws:kms.
	ErrInvalidEncryptionAlgorithm = &Error{
		Code: "InvalidEncryptionAlgorithmError", HTTPStatus: 400,
		Message: "The Encryption request you specified is not valid. Supported value: AES256/KMS.",
	}
	// ErrKmsServiceNotEnabled is returned when encryption is asked for, or needed to read, and
	// Options.Keys is not set.
	ErrKmsServiceNotEnabled = &Error{
		Code: "KmsServiceNotEnabled", HTTPStatus: 403,
		Message: "Server-side encryption needs a key provider, and Options.Keys is not set.",
	}
	// ErrKeyNotFound is returned when the key provider does not know the key.
	ErrKeyNotFound = &Error{Code: "KeyNotFound", HTTPStatus: 404}
	// ErrKeyDisabled is returned when the key provider has the key disabled.
	ErrKeyDisabled = &Error{Code: "KeyDisabled", HTTPStatus: 409}
	// ErrKeyPendingDeletion is returned when the key provider is about to delete the key.
	ErrKeyPendingDeletion = &Error{Code: "KeyPendingDeletion", HTTPStatus: 409}
	// ErrKeyPendingImport is returned when the key provider has the key without its material.
	ErrKeyPendingImport = &Error{Code: "KeyPendingImport", HTTPStatus: 409}
	// ErrAccessDenied is returned when the key provider denies the use of the key, and when
	// SSECustomerKey is not the key that the object was stored with; of an upload that is
	// ErrInvalidRequest.
	ErrAccessDenied = &Error{
		Code: "AccessDenied", HTTPStatus: 403, Message: "This request is forbidden by kms.",
	}
	// ErrNotImplemented is returned for what this version cannot do, and for IfNoneMatch with an
	// ETag on a write, which S3 cannot either.
	ErrNotImplemented = &Error{Code: "NotImplemented", HTTPStatus: 501}
)

// Errors of sequential uploads. The upload stays usable after each of them.
var (
	// ErrPartNotSequential is returned when a part is not the next one.
	ErrPartNotSequential = &Error{
		Code: "PartNotSequential", HTTPStatus: 400,
		Message: "For sequential multipart upload, parts must be uploaded in order, beginning with number 1.",
	}
	// ErrPartAlreadyExist is returned when the part has been uploaded before.
	ErrPartAlreadyExist = &Error{
		Code: "PartAlreadyExist", HTTPStatus: 409, EC: "0042-00000108",
		Message: "For sequential multipart upload, you can't overwrite uploaded parts.",
	}
)

// Errors of CompleteMultipartUpload. The upload stays usable after each of them.
var (
	// ErrMalformedXML is returned for an empty part list when the upload has parts and, under S3's
	// rules, for every empty one. DeleteObjects returns it for none or over 1000 keys.
	ErrMalformedXML = &Error{
		Code: "MalformedXML", HTTPStatus: 400, EC: "0042-00000205",
		Message: "The XML you provided was not well-formed or did not validate against our published schema.",
	}
	// ErrInvalidPart is returned when a listed part was not uploaded or has another ETag.
	ErrInvalidPart = &Error{
		Code: "InvalidPart", HTTPStatus: 400,
		Message: "One or more of the specified parts could not be found or the specified entity tag might not have matched the part's entity tag.",
	}
	// ErrInvalidPartOrder is returned when part numbers are not ascending and, under OSS's rules,
	// when one is out of range.
	ErrInvalidPartOrder = &Error{
		Code: "InvalidPartOrder", HTTPStatus: 400, EC: "0042-00000209",
		Message: "The list of parts was not in ascending order. Parts list must specified in order by part number.",
	}
	// ErrEntityTooSmall is returned when a listed part other than the last is below the minimum of
	// the bucket's rules: 100 KiB in OSS, 5 MiB in S3.
	ErrEntityTooSmall = &Error{
		Code: "EntityTooSmall", HTTPStatus: 400, EC: "0042-00000213",
		Message: "Your proposed upload smaller than the minimum allowed size.",
	}
)

// Errors of the engine itself.
var (
	// ErrClosed is returned by every call that begins after Close.
	ErrClosed = &Error{
		Code: "ServiceUnavailable", HTTPStatus: 503, Message: "The engine is closed.",
	}
	// ErrInUse is returned by Open when another engine or Clone, here or in another process, has the
	// directory open; by OpenStores when the stores are in use, or its Node's name is; and by
	// Clone.Pull when another Pull to the same stores has begun since.
	ErrInUse = &Error{
		Code: "InUse", HTTPStatus: 503, Message: "The directory is in use by another engine.",
	}
	// ErrUnfinishedClone is returned by Open and OpenStores for a copy of a store that is not
	// complete: see Clone.
	ErrUnfinishedClone = &Error{
		Code: "UnfinishedClone", HTTPStatus: 503,
		Message: "The store is a copy that is not complete. Pull to it until that succeeds.",
	}
	// ErrUnavailable is returned when the server that the index is in, or the chunks are, cannot be
	// reached, or does not get to it in time, by CopyObject when its source does not stay as it is
	// for long enough, by changes of tags and annotations when the object does not, and by
	// RotateKeys when the data keys do not. Nothing has changed, but for what is done in steps; the
	// same call may succeed later.
	ErrUnavailable = &Error{
		Code: "Unavailable", HTTPStatus: 503, Message: "The store cannot be reached. Try again later.",
	}
	// ErrLeaseLost is returned by an engine with Options.Node that the others have given up, since
	// they have not heard of it for as long as Options.Lease, or whose index has gone back in time: to
	// a backup, or to a standby that lacks commits. It commits nothing any more: nothing of the call
	// has changed. What it reads may be gone. Close it and open another; a client that tries again at
	// another node succeeds.
	ErrLeaseLost = &Error{
		Code: "LeaseLost", HTTPStatus: 503, Message: "The node has lost its lease. Try another.",
	}
	// ErrNoSpace is returned by writes when the disk is full or filled up to Options.ReserveSpace.
	// Reads and deletions go on; when there is space again, so do writes.
	ErrNoSpace = &Error{
		Code: "InsufficientStorage", HTTPStatus: 507,
		Message: "There is no space left on the disk.",
	}
	// ErrInternal is returned for what should not happen; the cause is in Err, often a
	// *CorruptionError. What a key provider fails with for reasons of its own is among it.
	ErrInternal = &Error{Code: "InternalError", HTTPStatus: 500}
)

// A CorruptionError says that stored data is not what was stored: what is hit, and where.
type CorruptionError struct {
	What  string // as "chunk 5e2d…" or "index record"
	Where string // as "volume 12"
	Err   error  // how it was found out
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("engine: corruption: %s in %s: %v", e.What, e.Where, e.Err)
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }

// A FormatError says that a store, or a record in it, was written by a newer version of Gabion.
// Nothing has been changed.
type FormatError struct {
	Where     string
	Version   int // what was found
	Supported int // the newest that this version reads
}

func (e *FormatError) Error() string {
	return fmt.Sprintf(
		"engine: %s has format %d, newer than %d, which this version supports", e.Where, e.Version,
		e.Supported,
	)
}

// Derive returns an Error of the same code with another message and cause, for a front end that has
// a reason of its own to refuse a request: one of this package's Err values says how. An empty
// message leaves e's, and cause may be nil. e is not changed.
func (e *Error) Derive(message string, cause error) *Error {
	c := e.with(cause)
	if message != "" {
		c.Message = message
	}
	return c
}

// with returns a copy of e that carries a cause.
func (e *Error) with(cause error) *Error {
	c := *e
	c.Err = cause
	return &c
}

// saying returns a copy of e with a message of its own.
func (e *Error) saying(format string, args ...any) *Error {
	c := *e
	c.Message = fmt.Sprintf(format, args...)
	return &c
}

// about returns a copy of e that says which field of the request is at fault, and what it holds.
func (e *Error) about(field string, value any) *Error {
	c := *e
	c.Argument, c.Value = field, repeated(fmt.Sprint(value))
	return &c
}

// repeated is as much of what a client has said as an Error repeats.
func repeated(value string) string {
	const most = 1 << 10
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "")
	}
	return value
}

// sized returns a copy of e that says how large something is and may be; 0 is not known.
func (e *Error) sized(size, limit int64) *Error {
	c := *e
	c.Size, c.Limit = size, limit
	return &c
}

// unmet returns a copy of e that says which condition does not hold.
func (e *Error) unmet(condition string) *Error {
	c := *e
	c.Condition = condition
	return &c
}

// ec returns a copy of e with OSS's fine-grained code for the situation.
func (e *Error) ec(code string) *Error {
	c := *e
	c.EC = code
	return &c
}

// causes says which Error stands for an error of a layer below; the first that matches counts.
var causes = []struct {
	cause error
	is    *Error
}{
	{lease.ErrLost, ErrLeaseLost},
	{lease.ErrTurnLost, ErrLeaseLost}, // who is waited for keeps the turn
	{blob.ErrNoSpace, ErrNoSpace},
	{index.ErrNoSpace, ErrNoSpace},
	{index.ErrUnavailable, ErrUnavailable},
	{blob.ErrUnavailable, ErrUnavailable},
	{index.ErrInUse, ErrInUse},
	{blob.ErrInUse, ErrInUse},
	{disk.ErrLocked, ErrInUse},
	{blob.ErrClosed, ErrClosed},
	{index.ErrClosed, ErrClosed},
	{crypto.ErrKeyNotFound, ErrKeyNotFound},
	{crypto.ErrKeyDisabled, ErrKeyDisabled},
	{crypto.ErrKeyPendingDeletion, ErrKeyPendingDeletion},
	{crypto.ErrKeyPendingImport, ErrKeyPendingImport},
	{crypto.ErrAccessDenied, ErrAccessDenied},
}

// asError finds the Error in err, or makes one of it, for a call with this context. What stands
// around the Error that is found stays in its cause.
func asError(ctx context.Context, err error) *Error {
	var foreign *providerError
	var e, theirs *Error
	errors.As(err, &foreign)
	if errors.As(err, &e) && !(foreign != nil && errors.As(foreign.err, &theirs) && theirs == e) {
		if error(e) != err && e.Error() != err.Error() {
			e = e.with(err)
		}
		return e
	}
	// Contexts end in key providers, too, for reasons of their own.
	if ctx.Err() != nil &&
		(errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return ErrRequestTimeout.with(err)
	}
	for _, c := range causes {
		if errors.Is(err, c.cause) {
			return c.is.with(err)
		}
	}
	if foreign == nil && disk.IsNoSpace(err) {
		return ErrNoSpace.with(err)
	}
	return ErrInternal.with(typed(err))
}

// A providerError is an error of the key provider's. What it says of full disks, or of objects, is
// not about ours.
type providerError struct{ err error }

func (e *providerError) Error() string { return "the key provider: " + e.err.Error() }

func (e *providerError) Unwrap() error { return e.err }

// ofProvider marks an error of the key provider's. nil stays nil.
func ofProvider(err error) error {
	if err == nil {
		return nil
	}
	return &providerError{err}
}

// typed turns the corruption and version errors of the layers below into those of this package.
func typed(err error) error {
	var (
		corrupt *CorruptionError
		frame   *blob.CorruptionError
		record  *index.CorruptionError
		ledgers *ledger.CorruptionError
		version *index.VersionError
		entry   *disk.EntryError
	)
	switch {
	case errors.As(err, &corrupt):
		return err
	case errors.As(err, &frame):
		what := "chunk " + frame.ID.String()
		if frame.ID == (blob.ID{}) {
			what = "volume"
		}
		cause := errors.New(frame.Reason)
		if frame.Err != nil {
			cause = fmt.Errorf("%s: %w", frame.Reason, frame.Err)
		}
		return &CorruptionError{
			What: what, Where: fmt.Sprintf("volume %d", frame.Volume), Err: cause,
		}
	case errors.As(err, &ledgers):
		return ofLedger(err)
	case errors.As(err, &record):
		return &CorruptionError{What: "the index", Where: record.Where, Err: err}
	case errors.As(err, &entry):
		return &CorruptionError{What: "a file of the store", Where: entry.Path, Err: err}
	case errors.As(err, &version):
		return &FormatError{
			Where: version.Where, Version: int(version.Version), Supported: int(version.Supported),
		}
	}
	return err
}

// ofLedger turns a corruption error of the ledger into one of this package, and leaves others as
// they are.
func ofLedger(err error) error {
	var ledgers *ledger.CorruptionError
	if errors.As(err, &ledgers) {
		return &CorruptionError{What: ledgers.What, Where: "index", Err: ledgers.Err}
	}
	return err
}
