package access

import "time"

// What says who has signed a form by version 4 of S3, in the order in which S3 asks for it.
var s3FormFields = []string{
	"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature",
}

// isV4 says whether a form has a field of version 4.
func (f *postForm) isV4() bool {
	for _, name := range s3FormFields[1:] {
		if _, ok := f.fields[name]; ok {
			return true
		}
	}
	return false
}

// claimS3 finds out who a form says has signed it by version 4 of S3. An empty policy is one.
func (f *postForm) claimS3() (*claim, error) {
	for _, name := range s3FormFields {
		if _, ok := f.fields[name]; !ok {
			return nil, f.missing(name)
		}
	}
	algorithm, said := f.fields["x-amz-algorithm"], f.fields["x-amz-credential"]
	date := f.fields["x-amz-date"]
	if algorithm != dialectS3.algorithm {
		return nil, invalidArgument("X-Amz-Algorithm", algorithm, formAlgorithm)
	}
	signed, err := time.Parse(timeV4, date)
	if err != nil {
		return nil, invalidArgument("X-Amz-Date", date, formDate)
	}
	cred, fault := s3Credential(said)
	if day := signed.Format(dateV4); fault == "" && day != cred.date {
		fault = say(otherDate, cred.date, day)
	}
	if fault != "" {
		return nil, invalidArgument("x-amz-credential", said, fault)
	}
	if f.has("x-amz-security-token") {
		return nil, invalidToken()
	}
	return &claim{
		accessKey: cred.accessKey, signature: f.fields["x-amz-signature"], signer: cred.signer,
		stringToSign: f.fields["policy"],
	}, nil
}
