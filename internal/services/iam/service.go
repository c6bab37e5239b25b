package iam

import (
	"fmt"
	"time"

	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
)

// IAM is the service: its dependencies, AWS's managed policies, and whom it tells of changes.
// It implements the directory of package auth.
type IAM struct {
	deps    service.Deps
	ring    *token.Keyring
	builtin map[string]*managed // by path and name, without the first slash
	// onChange is set once, before the first call.
	onChange func()
}

// New returns the service and itself as the directory. ring seals the secrets of access keys.
func New(deps service.Deps, ring *token.Keyring) (service.Service, *IAM, error) {
	s := &IAM{deps: deps, ring: ring}
	var err error
	if s.builtin, err = builtin(); err != nil {
		return service.Service{}, nil, fmt.Errorf("read AWS's managed policies: %w", err)
	}
	h := s.handlers()
	return service.Service{API: api.API, Operations: h.Bindings(), Access: s.access(), Resources: s.resources()}, s, nil
}

// OnChange sets what runs after every durable change and before its answer: the directory's
// cache forgets. It is called once, before the first call.
func (s *IAM) OnChange(fn func()) { s.onChange = fn }

func (s *IAM) changed() {
	if s.onChange != nil {
		s.onChange()
	}
}

// now is the time in whole seconds, as IAM keeps it.
func (s *IAM) now() time.Time { return s.deps.Clock.Now().UTC().Truncate(time.Second) }

func (s *IAM) handlers() *api.Handlers {
	return &api.Handlers{
		CreateRole: s.createRole, GetRole: s.getRole, ListRoles: s.listRoles, UpdateRole: s.updateRole, DeleteRole: s.deleteRole,
		UpdateRoleDescription: s.updateRoleDescription, UpdateAssumeRolePolicy: s.updateAssumeRolePolicy,
		CreateServiceLinkedRole: s.createServiceLinkedRole, DeleteServiceLinkedRole: s.deleteServiceLinkedRole,
		GetServiceLinkedRoleDeletionStatus: s.getServiceLinkedRoleDeletionStatus,

		CreateUser: s.createUser, GetUser: s.getUser, ListUsers: s.listUsers, UpdateUser: s.updateUser, DeleteUser: s.deleteUser,
		CreateGroup: s.createGroup, GetGroup: s.getGroup, ListGroups: s.listGroups, UpdateGroup: s.updateGroup, DeleteGroup: s.deleteGroup,
		ListGroupsForUser: s.listGroupsForUser, AddUserToGroup: s.addUserToGroup, RemoveUserFromGroup: s.removeUserFromGroup,
		CreateAccessKey: s.createAccessKey, UpdateAccessKey: s.updateAccessKey, DeleteAccessKey: s.deleteAccessKey, ListAccessKeys: s.listAccessKeys,

		PutRolePolicy: s.putRolePolicy, GetRolePolicy: s.getRolePolicy, DeleteRolePolicy: s.deleteRolePolicy, ListRolePolicies: s.listRolePolicies,
		PutUserPolicy: s.putUserPolicy, GetUserPolicy: s.getUserPolicy, DeleteUserPolicy: s.deleteUserPolicy, ListUserPolicies: s.listUserPolicies,
		PutGroupPolicy: s.putGroupPolicy, GetGroupPolicy: s.getGroupPolicy, DeleteGroupPolicy: s.deleteGroupPolicy, ListGroupPolicies: s.listGroupPolicies,

		AttachRolePolicy: s.attachRolePolicy, DetachRolePolicy: s.detachRolePolicy, ListAttachedRolePolicies: s.listAttachedRolePolicies,
		AttachUserPolicy: s.attachUserPolicy, DetachUserPolicy: s.detachUserPolicy, ListAttachedUserPolicies: s.listAttachedUserPolicies,
		AttachGroupPolicy: s.attachGroupPolicy, DetachGroupPolicy: s.detachGroupPolicy, ListAttachedGroupPolicies: s.listAttachedGroupPolicies,
		PutRolePermissionsBoundary: s.putRolePermissionsBoundary, DeleteRolePermissionsBoundary: s.deleteRolePermissionsBoundary,
		PutUserPermissionsBoundary: s.putUserPermissionsBoundary, DeleteUserPermissionsBoundary: s.deleteUserPermissionsBoundary,
		ListEntitiesForPolicy: s.listEntitiesForPolicy,

		CreatePolicy: s.createPolicy, GetPolicy: s.getPolicy, ListPolicies: s.listPolicies, DeletePolicy: s.deletePolicy,
		CreatePolicyVersion: s.createPolicyVersion, GetPolicyVersion: s.getPolicyVersion, ListPolicyVersions: s.listPolicyVersions,
		SetDefaultPolicyVersion: s.setDefaultPolicyVersion, DeletePolicyVersion: s.deletePolicyVersion,

		CreateInstanceProfile: s.createInstanceProfile, GetInstanceProfile: s.getInstanceProfile, DeleteInstanceProfile: s.deleteInstanceProfile,
		ListInstanceProfiles: s.listInstanceProfiles, ListInstanceProfilesForRole: s.listInstanceProfilesForRole,
		AddRoleToInstanceProfile: s.addRoleToInstanceProfile, RemoveRoleFromInstanceProfile: s.removeRoleFromInstanceProfile,

		TagRole: s.tagRole, UntagRole: s.untagRole, ListRoleTags: s.listRoleTags,
		TagUser: s.tagUser, UntagUser: s.untagUser, ListUserTags: s.listUserTags,
		TagPolicy: s.tagPolicy, UntagPolicy: s.untagPolicy, ListPolicyTags: s.listPolicyTags,
		TagInstanceProfile: s.tagInstanceProfile, UntagInstanceProfile: s.untagInstanceProfile,

		CreateOpenIDConnectProvider: s.createOpenIDConnectProvider, GetOpenIDConnectProvider: s.getOpenIDConnectProvider,
		ListOpenIDConnectProviders: s.listOpenIDConnectProviders, DeleteOpenIDConnectProvider: s.deleteOpenIDConnectProvider,
		AddClientIDToOpenIDConnectProvider: s.addClientIDToOpenIDConnectProvider, RemoveClientIDFromOpenIDConnectProvider: s.removeClientIDFromOpenIDConnectProvider,
		UpdateOpenIDConnectProviderThumbprint: s.updateOpenIDConnectProviderThumbprint, TagOpenIDConnectProvider: s.tagOpenIDConnectProvider,
		UntagOpenIDConnectProvider: s.untagOpenIDConnectProvider, ListOpenIDConnectProviderTags: s.listOpenIDConnectProviderTags,

		UploadServerCertificate: s.uploadServerCertificate, GetServerCertificate: s.getServerCertificate, ListServerCertificates: s.listServerCertificates,
		UpdateServerCertificate: s.updateServerCertificate, DeleteServerCertificate: s.deleteServerCertificate,
		TagServerCertificate: s.tagServerCertificate, UntagServerCertificate: s.untagServerCertificate, ListServerCertificateTags: s.listServerCertificateTags,

		CreateVirtualMFADevice: s.createVirtualMFADevice, DeleteVirtualMFADevice: s.deleteVirtualMFADevice, ListVirtualMFADevices: s.listVirtualMFADevices,
		EnableMFADevice: s.enableMFADevice, DeactivateMFADevice: s.deactivateMFADevice, ResyncMFADevice: s.resyncMFADevice,
		GetMFADevice: s.getMFADevice, ListMFADevices: s.listMFADevices,
		TagMFADevice: s.tagMFADevice, UntagMFADevice: s.untagMFADevice, ListMFADeviceTags: s.listMFADeviceTags,

		CreateSAMLProvider: s.createSAMLProvider, GetSAMLProvider: s.getSAMLProvider, ListSAMLProviders: s.listSAMLProviders,
		UpdateSAMLProvider: s.updateSAMLProvider, DeleteSAMLProvider: s.deleteSAMLProvider,
		TagSAMLProvider: s.tagSAMLProvider, UntagSAMLProvider: s.untagSAMLProvider, ListSAMLProviderTags: s.listSAMLProviderTags,

		CreateAccountAlias: s.createAccountAlias, DeleteAccountAlias: s.deleteAccountAlias, ListAccountAliases: s.listAccountAliases,
		GetAccountSummary: s.getAccountSummary, GetAccountAuthorizationDetails: s.getAccountAuthorizationDetails,
		SimulateCustomPolicy: s.simulateCustomPolicy, SimulatePrincipalPolicy: s.simulatePrincipalPolicy,
		GetContextKeysForCustomPolicy: s.getContextKeysForCustomPolicy, GetContextKeysForPrincipalPolicy: s.getContextKeysForPrincipalPolicy,
	}
}
