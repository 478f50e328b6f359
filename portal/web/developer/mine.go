package developer

import (
	"context"
	"slices"

	"fhirgate/portal/store"
)

// requestsOf returns the requests of all apps of a user, the newest first.
func (p *Pages) requestsOf(ctx context.Context, userID string) ([]store.AccessRequest, error) {
	apps, err := p.store.AppsOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	var all []store.AccessRequest
	for _, app := range apps {
		found, err := p.store.RequestsOfApp(ctx, app.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b store.AccessRequest) int { return b.Created.Compare(a.Created) })
	return all, nil
}

// credentialsOf returns the credentials of all apps of a user, those that work
// first.
func (p *Pages) credentialsOf(ctx context.Context, userID string) ([]ownCredential, error) {
	apps, err := p.store.AppsOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	var all []store.Credential
	for _, app := range apps {
		found, err := p.store.CredentialsOfApp(ctx, app.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return byUse(p.own(all)), nil
}
