package ec2

import (
	"context"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/service/port"
)

// Find implements [port.Networks].
func (s *Service) Find(ctx context.Context, subnetIDs, groupIDs []string) (vpcID string, err error) {
	if err := s.settle(ctx); err != nil {
		return "", err
	}
	err = s.view(ctx, func(v *view) error {
		vpcID = "" // the closure may run again
		groupVPC := make([]string, len(groupIDs))
		for i, id := range groupIDs { // first, as Lambda does
			g, err := get(v, &groups, id)
			if err != nil {
				return err
			}
			groupVPC[i] = *g.VpcId
		}
		for _, id := range subnetIDs {
			sub, err := get(v, &subnets, id)
			if err != nil {
				return err
			}
			if vpcID == "" {
				vpcID = *sub.VpcId
			}
			if *sub.VpcId != vpcID {
				return invalid("Subnets %s and %s belong to different networks", subnetIDs[0], id)
			}
		}
		if i := slices.IndexFunc(groupVPC, func(of string) bool { return of != vpcID }); i >= 0 {
			return refuse("InvalidGroup.NotFound", "The security group '%s' does not exist in VPC '%s'", groupIDs[i], vpcID)
		}
		return nil
	})
	return vpcID, err
}

// Endpoint implements [port.Networks].
func (s *Service) Endpoint(ctx context.Context, id, name string) (vpcID string, err error) {
	err = s.view(ctx, func(v *view) error {
		p, err := get(v, &endpoints, id)
		if err != nil {
			return err
		}
		if p.VpcEndpointType != ifaceEndpoint || !strings.HasSuffix(*p.ServiceName, "."+name) {
			return invalid("The VPC endpoint %s is a %s endpoint for %s, and not an %s endpoint for %s.", id, p.VpcEndpointType, *p.ServiceName, ifaceEndpoint, name)
		}
		vpcID = *p.VpcId
		return nil
	})
	return vpcID, err
}

var _ port.Networks = (*Service)(nil)
