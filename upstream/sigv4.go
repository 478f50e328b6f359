package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"fhirgate/fhir"
)

// sigV4Login signs each request by AWS Signature Version 4, as HealthLake wants
// it. There is no token: the signature is of the request itself.
type sigV4Login struct {
	credentials aws.Credentials
	region      string
	service     string
	signer      *v4.Signer
}

func newSigV4Login(auth Auth) *sigV4Login {
	service := auth.Service
	if service == "" {
		service = "healthlake"
	}
	return &sigV4Login{
		credentials: aws.Credentials{AccessKeyID: auth.ClientID, SecretAccessKey: auth.ClientSecret},
		region:      auth.Region,
		service:     service,
		signer:      v4.NewSigner(),
	}
}

func (s *sigV4Login) authorization(context.Context, string) (string, error) { return "", nil }

func (s *sigV4Login) renewable() bool { return false }

func (s *sigV4Login) forget(string) {}

// errStreamed is returned for a body that cannot be read twice: once for its
// hash, once to be sent.
var errStreamed = fhir.NewError(http.StatusUnsupportedMediaType, fhir.IssueNotSupported,
	"the hospital's login signs whole requests, which a streamed Binary cannot be: send it as JSON")

// sign adds the signature of r, which goes out as it is afterwards.
func (s *sigV4Login) sign(r *http.Request) error {
	sum := sha256.New()
	if r.Body != nil && r.Body != http.NoBody {
		if r.GetBody == nil {
			return errStreamed
		}
		body, err := r.GetBody()
		if err != nil {
			return err
		}
		_, err = io.Copy(sum, body)
		if err := errors.Join(err, body.Close()); err != nil {
			return err
		}
	}
	hash := hex.EncodeToString(sum.Sum(nil))
	r.Header.Set("X-Amz-Content-Sha256", hash)
	// Headers that a proxy or the transport may change are not signed by v4.
	return s.signer.SignHTTP(r.Context(), s.credentials, r, hash, s.service, s.region, time.Now())
}

// requestSigner is a login that signs requests instead of yielding a header.
type requestSigner interface{ sign(r *http.Request) error }
