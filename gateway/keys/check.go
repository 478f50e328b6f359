package keys

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"fhirgate/gateway/oauth"
)

// What a record holds at most: a record is read as a whole, and searched
// through on every call.
const (
	maxName         = 100      // bytes
	maxPrefixes     = 100      // of AllowFrom
	maxHospitals    = 500      // that it is narrowed to
	maxCertificates = 10       // with those in their grace
	maxSecrets      = 50       // with those in their grace
	maxText         = 255      // bytes of Issuer, Subject and JWKSURL
	maxJWKS         = 32 << 10 // bytes
)

// check returns what is wrong with a record, naming what is allowed instead.
func check(k *Key) error {
	if k.Name == "" || len(k.Name) > maxName {
		return invalid(fmt.Sprintf("the key needs a name of at most %d characters", maxName))
	}
	if err := checkKind(k); err != nil {
		return err
	}
	if len(k.AllowFrom) > maxPrefixes {
		return invalid(fmt.Sprintf("a key is allowed from at most %d networks", maxPrefixes))
	}
	if len(k.Hospitals) > maxHospitals {
		return invalid(fmt.Sprintf("a key is narrowed to at most %d hospitals: a plan of its own reaches more", maxHospitals))
	}
	if len(k.Certificates) > maxCertificates {
		return invalid(fmt.Sprintf("a key has at most %d certificates, with those that still work for a while: remove one first", maxCertificates))
	}
	if len(k.Secrets) > maxSecrets {
		return invalid(fmt.Sprintf("a key has at most %d secrets, with those that still work for a while: rotate it without a grace", maxSecrets))
	}
	return checkJWKS(k)
}

// checkKind returns what the record has too much or too little of for its kind.
func checkKind(k *Key) error {
	hasJWKS := len(k.JWKS) > 0 || k.JWKSURL != ""
	switch k.Kind {
	case KindKey:
		if len(k.Secrets) == 0 {
			return invalid("a key has a secret: for certificates alone the kind is certificate")
		}
	case KindClient:
		if len(k.Secrets) == 0 && !hasJWKS {
			return invalid("a client without a secret needs a JWK set, inline or by URL")
		}
	case KindExternal:
		if k.Issuer == "" || k.Subject == "" {
			return invalid("the kind external needs the issuer and the subject of its tokens")
		}
	case KindCertificate:
		if len(k.Certificates) == 0 {
			return invalid("the kind certificate needs a certificate")
		}
	default:
		return invalid(fmt.Sprintf("there is no kind %q: it is one of key, client, external and certificate", k.Kind))
	}
	switch {
	case len(k.Secrets) > 0 && k.Kind != KindKey && k.Kind != KindClient:
		return invalid(fmt.Sprintf("the kind %s has no secret: only keys and clients have", k.Kind))
	case hasJWKS && k.Kind != KindClient:
		return invalid("only the kind client has a JWK set")
	case (k.Issuer != "" || k.Subject != "") && k.Kind != KindExternal:
		return invalid("only the kind external has an issuer and a subject")
	case !printable(k.Issuer) || !printable(k.Subject):
		return invalid(fmt.Sprintf("issuer and subject are at most %d bytes each, without control characters", maxText))
	}
	return nil
}

// checkJWKS returns what is wrong with a client's public keys, or where they are.
func checkJWKS(k *Key) error {
	switch {
	case len(k.JWKS) > 0 && k.JWKSURL != "":
		return invalid("a client's JWK set is given inline or by URL, not both")
	case len(k.JWKS) > maxJWKS || len(k.JWKSURL) > maxText:
		return invalid(fmt.Sprintf("a JWK set has at most %d bytes, its URL %d", maxJWKS, maxText))
	case len(k.JWKS) > 0:
		if _, err := oauth.CheckJWKS(k.JWKS); err != nil {
			return invalid("the JWK set cannot be taken: " + err.Error())
		}
	case k.JWKSURL != "":
		if err := oauth.CheckJWKSURL(k.JWKSURL); err != nil {
			return invalid("the URL of the JWK set cannot be taken: " + err.Error())
		}
	}
	return nil
}

func printable(text string) bool {
	return len(text) <= maxText && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// ParseAllowed reads a network in CIDR form, or one address.
func ParseAllowed(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, invalid(fmt.Sprintf("%q is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32", text))
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	if address := prefix.Addr(); address.Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(address.Unmap(), prefix.Bits()-96)
	}
	if prefix != prefix.Masked() {
		return netip.Prefix{}, invalid(fmt.Sprintf("%q has bits set beyond its length: %s is the network", text, prefix.Masked()))
	}
	return prefix, nil
}

// addCertificate registers a certificate, given in PEM form or by its SHA-256
// fingerprint. One that the record already has begins anew.
func addCertificate(k *Key, text string, now time.Time) error {
	added, err := parseCertificate(text, now)
	if err != nil {
		return err
	}
	k.Certificates = slices.DeleteFunc(slices.Clone(k.Certificates), func(c Certificate) bool { return c.SHA256 == added.SHA256 })
	k.Certificates = append(k.Certificates, added)
	return nil
}

func parseCertificate(text string, now time.Time) (Certificate, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		fingerprint, err := ParseFingerprint(text)
		return Certificate{SHA256: fingerprint, Added: now}, err
	}
	if next, _ := pem.Decode(rest); block.Type != "CERTIFICATE" || next != nil {
		return Certificate{}, invalid("the PEM text must hold one certificate, the client's own, and nothing else")
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Certificate{}, invalid("the PEM text holds no X.509 certificate")
	}
	if !now.Before(parsed.NotAfter) {
		return Certificate{}, invalid("the certificate has expired")
	}
	sum := sha256.Sum256(parsed.Raw)
	return Certificate{SHA256: hex.EncodeToString(sum[:]), NotAfter: parsed.NotAfter.UTC(), Added: now}, nil
}

// ParseFingerprint reads the SHA-256 fingerprint of a certificate, in hex with
// or without colons, and returns it in lower-case hex.
func ParseFingerprint(text string) (string, error) {
	sum, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(text), ":", ""))
	if err != nil || len(sum) != sha256.Size {
		return "", invalid("a certificate is given in PEM form, or by its SHA-256 fingerprint: 64 hex digits")
	}
	return hex.EncodeToString(sum), nil
}
