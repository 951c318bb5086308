// Every operation the apps use, typed from the protos (npm run types).
import { type CallOptions, call, type Full } from './api';
import type * as A from './gen/yba/access/v1/access_pb';
import type * as C from './gen/yba/consults/v1/consults_pb';
import type * as V from './gen/yba/coverage/v1/coverage_pb';
import type * as X from './gen/yba/exchange/v1/exchange_pb';
import type * as N from './gen/yba/notices/v1/notices_pb';
import type * as S from './gen/yba/stations/v1/stations_pb';

type Operation<Request, Answer> = (request?: Request, options?: CallOptions) => Promise<Full<Answer>>;

function operation<Request extends object, Answer>(name: string): Operation<Request, Answer> {
  return (request, options) => call<Full<Answer>>(name, request ?? {}, options);
}

export type Account = Full<A.AccountJson>;
export type AuditEntry = Full<A.AuditEntryJson>;
export type Consultation = Full<C.ConsultationJson>;
export type Doctor = Full<C.DoctorJson>;
export type Slot = Full<C.SlotJson>;
export type Medicine = Full<C.MedicineJson>;
export type Seat = Full<C.SeatJson>;
export type Notice = Full<N.NoticeJson>;
export type Person = Full<S.PersonJson>;
export type Unit = Full<S.UnitJson>;
export type Indicator = Full<V.IndicatorJson>;
export type Figure = Full<V.FigureJson>;

export const access = {
  me: operation<A.MeRequestJson, A.AccountJson>('access.Me'),
  setPassword: operation<A.SetPasswordRequestJson, A.SetPasswordResponseJson>('access.SetPassword'),
  listAccounts: operation<A.ListAccountsRequestJson, A.ListAccountsResponseJson>('access.ListAccounts'),
  accessLog: operation<A.AccessLogRequestJson, A.AccessLogResponseJson>('access.AccessLog'),
};

export const consults = {
  listDoctors: operation<C.ListDoctorsRequestJson, C.ListDoctorsResponseJson>('consults.ListDoctors'),
  listSlots: operation<C.ListSlotsRequestJson, C.ListSlotsResponseJson>('consults.ListSlots'),
  setHours: operation<C.SetHoursRequestJson, C.DoctorJson>('consults.SetHours'),
  book: operation<C.BookRequestJson, C.ConsultationJson>('consults.Book'),
  reschedule: operation<C.RescheduleRequestJson, C.ConsultationJson>('consults.Reschedule'),
  cancel: operation<C.CancelRequestJson, C.ConsultationJson>('consults.Cancel'),
  list: operation<C.ListConsultationsRequestJson, C.ListConsultationsResponseJson>('consults.ListConsultations'),
  get: operation<C.GetConsultationRequestJson, C.ConsultationJson>('consults.GetConsultation'),
  checkIn: operation<C.CheckInRequestJson, C.ConsultationJson>('consults.CheckIn'),
  queue: operation<C.QueueRequestJson, C.QueueResponseJson>('consults.Queue'),
  admit: operation<C.AdmitRequestJson, C.ConsultationJson>('consults.Admit'),
  invite: operation<C.InviteRequestJson, C.ConsultationJson>('consults.Invite'),
  join: operation<C.JoinRequestJson, C.SeatJson>('consults.Join'),
  saveNote: operation<C.SaveNoteRequestJson, C.ConsultationJson>('consults.SaveNote'),
  prescribe: operation<C.PrescribeRequestJson, C.ConsultationJson>('consults.Prescribe'),
  end: operation<C.EndRequestJson, C.ConsultationJson>('consults.End'),
};

export const notices = {
  list: operation<N.ListNoticesRequestJson, N.ListNoticesResponseJson>('notices.ListNotices'),
  markRead: operation<N.MarkReadRequestJson, N.MarkReadResponseJson>('notices.MarkRead'),
  pushKey: operation<N.PushKeyRequestJson, N.PushKeyResponseJson>('notices.PushKey'),
  subscribe: operation<N.SubscribeRequestJson, N.SubscribeResponseJson>('notices.Subscribe'),
  unsubscribe: operation<N.UnsubscribeRequestJson, N.UnsubscribeResponseJson>('notices.Unsubscribe'),
};

export const stations = {
  listUnits: operation<S.ListUnitsRequestJson, S.ListUnitsResponseJson>('stations.ListUnits'),
  findPeople: operation<S.FindPeopleRequestJson, S.FindPeopleResponseJson>('stations.FindPeople'),
  getPerson: operation<S.GetPersonRequestJson, S.PersonJson>('stations.GetPerson'),
  registerHousehold: operation<S.RegisterHouseholdRequestJson, S.HouseholdJson>('stations.RegisterHousehold'),
  registerPerson: operation<S.RegisterPersonRequestJson, S.RegisterPersonResponseJson>('stations.RegisterPerson'),
  openAccount: operation<S.OpenAccountRequestJson, S.OpenAccountResponseJson>('stations.OpenAccount'),
  recordVisit: operation<S.RecordVisitRequestJson, S.EntryJson>('stations.RecordVisit'),
  recordImmunization: operation<S.RecordImmunizationRequestJson, S.EntryJson>('stations.RecordImmunization'),
  listVaccines: operation<S.ListVaccinesRequestJson, S.ListVaccinesResponseJson>('stations.ListVaccines'),
  today: operation<S.TodayRequestJson, S.TodayResponseJson>('stations.Today'),
};

export const coverage = {
  listIndicators: operation<V.ListIndicatorsRequestJson, V.ListIndicatorsResponseJson>('coverage.ListIndicators'),
  report: operation<V.ReportRequestJson, V.ReportResponseJson>('coverage.Report'),
  exportFile: operation<V.ExportRequestJson, V.ExportResponseJson>('coverage.Export'),
  progress: operation<V.GetProgressRequestJson, V.ProgressJson>('coverage.GetProgress'),
};

export const exchange = {
  checkIdentifier: operation<X.CheckIdentifierRequestJson, X.CheckedIdentifierJson>('exchange.CheckIdentifier'),
};
