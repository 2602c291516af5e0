// What the API answers, from its OpenAPI document: `python -m local.page_types` writes this file.

type AccountView = {
  account: string;
  url: string;
  portalUrl: string | null;
  lastGoodPoll: string | null;
  lastPoll: LastPollView | null;
  stale: boolean;
  error: TroubleView | null;
  poolsError: string | null;
  poolsErrorSince: string | null;
};

type AttemptView = {
  at: string;
  status: number | null;
  reason: string;
  durationMs: number;
  answer: string;
};

type CauseTextView = {
  code: string;
  message: string;
};

type CauseView = {
  phase: Phase;
  code: string;
  message: string;
  nodes: number;
  command: string | null;
};

type Check = {
  name: string;
  ok: boolean;
  message: string;
  remedy: string | null;
};

type ContainerInfo = {
  containerId?: string | null;
  state?: string | null;
  error?: string | null;
};

type DeliveriesView = {
  due: number;
  dead: number;
  oldestDueSince: string | null;
};

type DeliveryHistoryView = {
  webhook: string;
  state: ShownState;
  tries: number;
  reason: string;
  createdAt: string;
  nextAttemptAt: string | null;
  endedAt: string | null;
  attempts: Array<AttemptView>;
};

type DeliveryView = {
  webhook: string;
  state: ShownState;
  tries: number;
  reason: string;
  createdAt: string;
  nextAttemptAt: string | null;
  endedAt: string | null;
};

type DiagnosticsView = {
  value: Array<Check>;
};

type DismissalsRequest = {
  webhook?: string | null;
  eventId?: string | null;
  jobs?: Array<string>;
};

type DismissalsView = {
  dismissed: number;
  more: boolean;
};

type EndpointConfiguration = {
  inboundEndpoints?: Array<InboundEndpoint> | null;
};

type ErrorBody = {
  error: ErrorInfo;
};

type ErrorDetail = {
  code: string;
  message: string;
  target: string | null;
};

type ErrorInfo = {
  code: string;
  message: string;
  target: string | null;
  details: Array<ErrorDetail>;
};

type EventHistoryView = {
  id: string;
  recordedAt: string;
  event: any;
  deliveries: Array<DeliveryHistoryView>;
};

type EventView = {
  id: string;
  type: string;
  account: string | null;
  subject: string | null;
  jobId: string | null;
  phase: Phase | null;
  reason: string | null;
  nodes: number;
  time: string | null;
  recordedAt: string;
  deliveries: Array<DeliveryView>;
};

type EventsView = {
  value: Array<EventView>;
  nextLink: string | null;
};

type ExecutionInfo = {
  startTime?: string | null;
  endTime?: string | null;
  state?: string | null;
  result?: string | null;
  exitCode?: number | null;
  retryCount?: number | null;
  lastRetryTime?: string | null;
  failureInfo?: FailureInfo | null;
  containerInfo?: ContainerInfo | null;
  taskRootDirectory?: string | null;
  taskRootDirectoryUrl?: string | null;
};

type ExplainedEventView = {
  id: string;
  type: string;
  reason: string | null;
  time: string | null;
  recordedAt: string;
  webhooks: Array<WebhookMatchView>;
};

type ExplanationView = {
  account: string;
  jobId: string;
  tracking: Tracking;
  trackingExplanation: string;
  announceFrom: string | null;
  node: NodeView;
  phases: Array<PhaseExplanationView>;
  commands: Array<NodeCommandView>;
  events: Array<ExplainedEventView>;
};

type FailureInfo = {
  category?: string | null;
  code?: string | null;
  message?: string | null;
  details?: Array<NameValuePair> | null;
};

type HealthView = {
  reasons: Array<string>;
};

type ImageReference = {
  publisher?: string | null;
  offer?: string | null;
  sku?: string | null;
  version?: string | null;
  virtualMachineImageId?: string | null;
  exactVersion?: string | null;
  sharedGalleryImageId?: string | null;
  communityGalleryImageId?: string | null;
};

type InboundEndpoint = {
  name?: string | null;
  protocol?: string | null;
  publicIPAddress?: string | null;
  publicFQDN?: string | null;
  frontendPort?: number | null;
  backendPort?: number | null;
};

type JobView = {
  account: string;
  jobId: string;
  poolId: string | null;
  state: string | null;
  tracking: Tracking;
  nodes: number;
  preparation: PhaseCounts;
  release: PhaseCounts;
  stuck: StuckView | null;
  since: string | null;
  causes: Array<CauseView>;
  changedAt: string | null;
  error: TroubleView | null;
};

type KeyValue = {
  key: string;
  value: string;
};

type LastAnswerView = {
  at: string;
  status: number | null;
  reason: string;
  answer: string;
  advice: string;
};

type LastPollView = {
  startedAt: string;
  finishedAt: string;
  jobs: number;
  notLookedAt: number;
  errors: number;
};

type LiveNodesView = {
  value: Array<NodeStatus>;
  "odata.nextLink"?: string | null;
  unreadable?: Array<string>;
};

type Matching = "filtered" | "muted" | "notOwed" | "owed" | "refused" | "switchedOff" | "toldAsState";

type MessageView = {
  id: string;
  account: string;
  sentAt: string;
  state: Sending;
  jobs: number;
  text: string;
  body: any;
  attempts: Array<AttemptView>;
};

type MessagesView = {
  value: Array<MessageView>;
  nextLink: string | null;
};

type MuteRequest = {
  jobs?: Array<string>;
  pools?: Array<string>;
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
  name?: string;
  active?: boolean;
};

type MuteView = {
  name: string;
  jobs: Array<string>;
  pools: Array<string>;
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
  active: boolean;
};

type MutesView = {
  value: Array<MuteView>;
  nextLink: string | null;
};

type NameValuePair = {
  name?: string | null;
  value?: string | null;
};

type NodeAgentInfo = {
  version?: string | null;
  lastUpdateTime?: string | null;
};

type NodeCommandView = {
  does: string;
  command: string;
};

type NodeError = {
  code?: string | null;
  message?: string | null;
  errorDetails?: Array<NameValuePair> | null;
};

type NodeStatus = {
  poolId?: string | null;
  nodeId?: string | null;
  nodeUrl?: string | null;
  jobPreparationTaskExecutionInfo?: ExecutionInfo | null;
  jobReleaseTaskExecutionInfo?: ExecutionInfo | null;
};

type NodeView = {
  poolId: string;
  nodeId: string;
  nodeUrl: string | null;
  open: boolean;
  preparation: PhaseView | null;
  release: PhaseView | null;
};

type NodesView = {
  account: string;
  jobId: string;
  value: Array<NodeView>;
  nextLink: string | null;
};

type Outcome = "failed" | "retrying" | "running" | "succeeded" | "unknown";

type Phase = "preparation" | "release";

type PhaseCounts = {
  running: number;
  retrying: number;
  succeeded: number;
  failed: number;
  unknown: number;
  slow: number;
  open: number;
};

type PhaseExplanationView = {
  phase: Phase;
  outcome: Outcome;
  reason: Reason;
  explanation: string;
  eventId: string | null;
};

type PhaseView = {
  outcome: Outcome;
  reason: Reason;
  eventId: string | null;
  cause: CauseTextView | null;
  execution: ExecutionInfo;
};

type PingView = {
  webhook: string;
  eventId: string;
  at: string;
  delivered: boolean;
  status: number | null;
  reason: string;
  durationMs: number;
  answer: string;
  advice: string | null;
};

type PoolCauseView = {
  code: string;
  message: string;
  nodes: number;
};

type PoolNodeView = {
  id: string;
  url?: string | null;
  state?: string | null;
  schedulingState?: string | null;
  stateTransitionTime?: string | null;
  lastBootTime?: string | null;
  allocationTime?: string | null;
  vmSize?: string | null;
  isDedicated?: boolean | null;
  ipAddress?: string | null;
  ipv6Address?: string | null;
  affinityId?: string | null;
  runningTasksCount?: number | null;
  runningTaskSlotsCount?: number | null;
  totalTasksRun?: number | null;
  totalTasksSucceeded?: number | null;
  recentTasks?: Array<RecentTask> | null;
  errors?: Array<NodeError> | null;
  startTaskInfo?: StartTaskInfo | null;
  nodeAgentInfo?: NodeAgentInfo | null;
  endpointConfiguration?: EndpointConfiguration | null;
  virtualMachineInfo?: VirtualMachineInfo | null;
  unableReason: UnableReason;
  countsFrom: string;
};

type PoolNodesView = {
  account: string;
  poolId: string;
  value: Array<PoolNodeView>;
  nextLink: string | null;
};

type PoolView = {
  account: string;
  poolId: string;
  nodes: Record<string, number>;
  able: number;
  unable: number;
  inTrouble: boolean;
  causes: Array<PoolCauseView>;
  gone: boolean;
  since: string | null;
  jobs: Array<string>;
  jobCount: number;
};

type PoolsView = {
  value: Array<PoolView>;
  nextLink: string | null;
};

type Reason = "beforeFirstSight" | "newlyFailed" | "nodeLeft" | "notFailed" | "resolved" | "slow";

type RecentTask = {
  taskUrl?: string | null;
  jobId?: string | null;
  taskId?: string | null;
  subtaskId?: number | null;
  taskState?: string | null;
  executionInfo?: StartTaskInfo | null;
};

type RedeliveredView = {
  eventId: string;
  value: Array<RedeliveryView>;
};

type RedeliveriesRequest = {
  state: RedeliveryState;
  since?: string | null;
  until?: string | null;
  webhook?: string | null;
  skipToken?: string | null;
};

type RedeliveriesView = {
  queued: number;
  alreadyPending: number;
  skipped: number;
  more: boolean;
  skipToken: string | null;
};

type RedeliveryResult = "alreadyPending" | "queued" | "skipped";

type RedeliveryState = "all" | "dead";

type RedeliveryView = {
  webhook: string;
  result: RedeliveryResult;
  reason: string;
};

type Sending = "delivered" | "failed" | "refused";

type ShownState = "closed" | "dead" | "delivered" | "pending";

type StandstillReason = "autoscaleFailed" | "nodesUnable" | "poolGone" | "preparationFailed" | "preparationSlow" | "resizeFailed" | "startTaskFailed";

type StartTaskInfo = {
  state?: string | null;
  startTime?: string | null;
  endTime?: string | null;
  exitCode?: number | null;
  result?: string | null;
  retryCount?: number | null;
  lastRetryTime?: string | null;
  failureInfo?: FailureInfo | null;
  containerInfo?: ContainerInfo | null;
};

type Status = "degraded" | "failing" | "ok" | "stale";

type StuckView = {
  since: string;
  reason: StandstillReason | null;
  why: string;
  poolId: string | null;
  nodes: Record<string, number>;
  standing: string;
  cause: CauseTextView | null;
  tasks: number;
  remedy: string;
  command: string | null;
  afterwards: string | null;
};

type SummaryView = {
  status: Status;
  reasons: Array<string>;
  generatedAt: string;
  nextPollAt: string | null;
  accounts: Array<AccountView>;
  totals: TotalsView;
  value: Array<JobView>;
  pools: Array<PoolView>;
  deliveries: DeliveriesView;
  webhooks: WebhooksView;
  nextLink: string | null;
};

type TotalsView = {
  jobs: number;
  nodes: number;
  preparation: PhaseCounts;
  release: PhaseCounts;
  pools: number;
};

type TrackedJobView = {
  account: string;
  jobId: string;
  tracking: Tracking;
  requested: boolean;
  state: string | null;
  creationTime: string | null;
  announceFrom: string | null;
  changedAt: string | null;
  settledAt: string | null;
};

type TrackedJobsView = {
  value: Array<TrackedJobView>;
  nextLink: string | null;
};

type Tracking = "gone" | "noPreparationTask" | "settled" | "stopped" | "unreachable" | "watching";

type TrendBy = "code" | "job" | "pool";

type TrendView = {
  name: string | null;
  total: number;
  counts: Array<number>;
  first: string;
  last: string;
};

type TrendsView = {
  by: TrendBy;
  days: Array<string>;
  countedFrom: string;
  complete: boolean;
  value: Array<TrendView>;
};

type TroubleView = {
  code: string;
  message: string;
  requestId: string | null;
  values: Array<KeyValue>;
};

type UnableReason = "nodeError" | "notReady" | "startTaskFailed" | "startTaskSlow" | "unknown" | "unusable";

type UntoldView = {
  deliveries: number;
  jobs: number;
  pools: number;
  late: number;
  refused: number;
  since: string | null;
  refusal: string | null;
  silent: string | null;
  unreadable: string | null;
};

type VirtualMachineInfo = {
  imageReference?: ImageReference | null;
  scaleSetVmResourceId?: string | null;
};

type WebhookMatchView = {
  webhook: string;
  matching: Matching;
  explanation: string;
  toldAt: string | null;
  delivery: DeliveryHistoryView | null;
};

type WebhookStanding = "disabled" | "failing" | "off" | "ok";

type WebhookView = {
  name: string;
  format: "cloudevents" | "teams" | "slack" | "pagerduty" | "eventgrid";
  host: string;
  urlEndsWith: string;
  events: Array<string>;
  jobs: Array<string>;
  accounts: Array<string>;
  pools: Array<string>;
  enabled: boolean;
  state: WebhookStanding;
  failingSince: string | null;
  disabledSince: string | null;
  notBefore: string | null;
  since: string | null;
  reason: string;
  lastAnswer: LastAnswerView | null;
  untold: UntoldView;
  due: number;
  dead: number;
};

type WebhooksListView = {
  value: Array<WebhookView>;
  nextLink: string | null;
};

type WebhooksView = {
  failing: Array<string>;
  disabled: Array<string>;
};
