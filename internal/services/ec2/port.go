package ec2

import (
	"context"

	"lambent.dev/lambent/internal/service/port"
)

// Find implements [port.Networks].
func (s *Service) Find(ctx context.Context, subnetIDs, groupIDs []string) (vpcID string, err error) {
	if err := s.settle(ctx); err != nil {
		return "", err
	}
	err = s.view(ctx, func(v *view) error {
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
		for _, id := range groupIDs {
			g, err := get(v, &groups, id)
			if err != nil {
				return err
			}
			if *g.VpcId != vpcID {
				return refuse("InvalidGroup.NotFound", "The security group '%s' does not exist in VPC '%s'", id, vpcID)
			}
		}
		return nil
	})
	return vpcID, err
}

var _ port.Networks = (*Service)(nil)
